"""From incidents to messages: who is due to be told what, and in which words."""
