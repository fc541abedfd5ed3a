"""Training on Apache Spark, for logs that outgrow one machine: the same sources from the same archive; optional."""
