"""`python -m docs` writes the parts of the documentation that follow from the code; test_docs.py compares them."""

import click

from docs.parts import PAGES, up_to_date

for page in PAGES:
    before, after = page.read_text("utf-8") if page.exists() else "", up_to_date(page)
    if before != after:
        page.write_text(after, "utf-8")
        click.echo(f"wrote {page}")
