"""The resources of Azure, one file for each kind."""
