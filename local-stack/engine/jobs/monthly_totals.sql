SELECT category, sum(orders) AS orders, sum(amount) AS amount
FROM main.gold.daily_sales
WHERE date_format(day, 'yyyy-MM') = :month
GROUP BY category
ORDER BY category
