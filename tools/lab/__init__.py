"""Real PostgreSQL servers and a realistic application's data, for the demo, the tests and the benchmarks.

Nothing in here is part of the collection that users install.
"""
