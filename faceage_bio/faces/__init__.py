"""Photos to face ages: detection, networks, quality, stores of results."""
