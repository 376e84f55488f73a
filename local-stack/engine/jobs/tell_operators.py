"""Runs only when something before it failed."""

print("would page the operators about", dbutils.widgets.get("day"))
