"""What people look at: summary, picture, page, overlay, viewer."""
