"""Does next to nothing; the job's clock makes it slow."""

print("orders:", spark.sql("SELECT count(*) AS n FROM main.sales.orders").collect()[0]["n"])
