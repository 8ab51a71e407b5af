"""The parts of the librarian: sources of news, cleaning, embeddings, the store, and what is learned of resolved markets."""
