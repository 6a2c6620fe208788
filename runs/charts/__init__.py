"""Series and tables to Plotly figures: plain data in, a Chart out. Neither models nor Django."""
