"""The instructor's desk: what people add to what grading finds. Plain files in, the same gradebook and pages out.

`grade` reads grades/marks.yaml (hand_marks) and puts it over what the machine found (merging), anew in every run: what is stored of a
file stays the machine's, and what a person wrote stays the person's. So it is with deadlines; shares of points.yaml alone change how it grades.
Made for who teaches: overview (plans, mistakes), exam, similar, defence.
"""
