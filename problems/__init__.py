"""Three problem sets for graded courses, and what makes notebooks of them."""
