"""Names the best category of a month."""

import json

month = dbutils.widgets.get("month")
rows = spark.sql(
    """
    SELECT category, sum(amount) AS amount FROM main.gold.daily_sales
    WHERE date_format(day, 'yyyy-MM') = :month GROUP BY category ORDER BY amount DESC LIMIT 1
    """,
    {"month": month},
).collect()
print(f"{month}: {len(rows)} best category")
dbutils.notebook.exit(json.dumps({"month": month, "best": rows[0]["category"] if rows else None}))
