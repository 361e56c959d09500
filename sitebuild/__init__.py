"""Render the Quarto website of this directory without Quarto.

The sources stay what ``quarto render`` takes: ``_quarto.yml`` and ``.qmd`` pages. Modules, in the
order in which a page passes through them:

``config``       ``_quarto.yml`` and front matter, checked against the tables of ``settings``
``qmd``          a ``.qmd`` file as front matter, Markdown and cells
``execute``      the cells, run in a kernel or taken from the cache
``outputs``      the executed page as Markdown
``drawing``      pictures made small
``shortcodes``   ``{{< name … >}}``
``crossref``     numbers of figures, tables and equations
``pandoc``       Markdown as HTML, with ``filter.lua``
``navigation``   navbar, sidebar, breadcrumbs, previous and next
``listing``      lists of pages
``pages``        one HTML page from all of that and ``theme/``
``search``       the search index
``assets``       files beside the pages
``links``        relative addresses, and a check of every one
``build``        the whole site

``report`` collects what there is to say, ``globs`` matches paths, ``notebooks`` makes notebooks for
tests and for readers, ``__main__`` holds the commands.
"""
