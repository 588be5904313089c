"""Raw tables of air quality."""

from extractors.core.formats.tt10 import READING

ENTITIES = (READING,)
