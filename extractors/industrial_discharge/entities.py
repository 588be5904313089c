"""Raw tables of industrial discharge."""

from extractors.core.formats.tt10 import READING

ENTITIES = (READING,)
