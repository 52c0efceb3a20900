"""One business verb a file: read, decide, write; write before the wire and after it."""
