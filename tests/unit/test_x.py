import asyncpg
async def q(url, s):
    c = await asyncpg.connect(url)
    try: return await c.fetchval(s)
    finally: await c.close()
def test_a(database, run):
    assert run(q(database, "select count(*) from sports")) == 1
def test_b(empty_database, run):
    assert run(q(empty_database, "select count(*) from pg_tables where schemaname='public'")) == 0
def test_c(database, run):
    assert run(q(database, "select count(*) from sports")) == 1
