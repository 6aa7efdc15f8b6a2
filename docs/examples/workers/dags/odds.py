"""The DAG. Its tasks are the functions of `odds_workers.steps`."""

from airflow.sdk import dag, task


@dag(schedule="*/10 * * * *", catchup=False)
def odds():
    """Scrape the sites at the same time, then prune."""

    @task(retries=2)
    def scrape(platform: str) -> None:
        from odds_workers import steps

        steps.scrape(platform)

    @task
    def prune() -> None:
        from odds_workers import steps

        steps.prune()

    scrape.expand(platform=["sportybet", "bet9ja"]) >> prune()


odds()
