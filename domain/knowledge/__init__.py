"""Knowledge: from an uploaded file to the passages that answer a question, with their place in it."""
