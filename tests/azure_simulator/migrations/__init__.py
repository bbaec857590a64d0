"""Migrations: the resource, its course through states, and what carries the data."""
