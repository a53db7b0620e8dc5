"""Reading pictures on the command line: the answer in words and as JSON, drawn, and step by step."""
