"""Hands back what a day has sold."""

import json

day = dbutils.widgets.get("day")
row = spark.sql(
    """
    SELECT coalesce(sum(orders), 0) AS orders, coalesce(sum(amount), 0) AS amount FROM main.gold.daily_sales
    WHERE day = CAST(:day AS DATE)
    """,
    {"day": day},
).collect()[0]
dbutils.notebook.exit(json.dumps({"day": day, "orders": int(row["orders"]), "amount": row["amount"]}))
