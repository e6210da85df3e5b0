"""A page for the browser that labels recordings. Gradio is imported by `page` and `server` alone."""
