"""What is measured, one module each. Each has `run(context)`, which answers (facts for the JSON, Markdown)."""
