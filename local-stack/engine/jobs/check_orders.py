"""Fails when a day has fewer orders than it should have."""

day, least = dbutils.widgets.get("day"), int(dbutils.widgets.get("least"))
found = int(
    spark.sql("SELECT count(*) AS n FROM main.sales.orders WHERE order_date = CAST(:day AS DATE)", {"day": day})
    .collect()[0]["n"]
)
print(f"{day}: {found} orders, at least {least} expected")
if found < least:
    raise ValueError(f"{day} has {found} orders, fewer than {least}")
