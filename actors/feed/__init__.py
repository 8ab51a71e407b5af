"""The parts of the market feed: the catalogue, price series, and the upkeep of books, listings and resolutions."""
