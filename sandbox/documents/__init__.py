"""The office of documents: incoming, outgoing and internal, behind one login."""
