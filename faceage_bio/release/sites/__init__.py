"""Hospitals that share no rows: their bundles, signatures, and the network that carries requests."""
