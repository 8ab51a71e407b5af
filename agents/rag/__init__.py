"""The arithmetic of retrieval: plain text, chunks, what is alike, and which passages answer a search."""
