"""`python -m faceage_bio` is `faceage-bio`."""

from faceage_bio.cli.main import main

main()
