"""Interfaces (APIs): declared in ``extractors/<domain>/apis/<name>.toml``, read page by page, never past the cursor.

``declaration`` is what a domain writes down, ``client`` asks one question and gets one answer, ``login`` proves who
asks, ``walk`` knows pages, windows and cursors. The records themselves are read by
:mod:`extractors.core.formats.records`, from an answer as from a landed page.
"""
