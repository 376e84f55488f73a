"""Fails, so that failures can be looked at."""

print("about to fail")
raise ValueError("the sample job that always fails has failed")
