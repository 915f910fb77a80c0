"""The study: which attributions its figures show, which numbers its report states, and how they are worded."""
