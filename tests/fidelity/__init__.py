"""Everything that a database can hold, as cases in SQL, carried by the real engine and looked at on both sides."""
