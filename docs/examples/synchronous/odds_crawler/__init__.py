"""A Scrapy project: a spider, an item pipeline that stores its captures, and the program."""
