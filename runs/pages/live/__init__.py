"""The stream of news: what a tab watches, who looks for it, and how it travels."""
