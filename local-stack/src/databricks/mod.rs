//! The stand-in for databricks.
