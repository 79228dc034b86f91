"""The memory: tables, migrations, store. The only SQL."""
