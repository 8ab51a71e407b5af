"""The log on disk: its schema, its migrations, its one writer and its readers."""
