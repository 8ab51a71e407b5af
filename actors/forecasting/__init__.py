"""The forecaster's parts: its models, the research, the samples, and the order in which all of it is done."""
