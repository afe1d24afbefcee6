"""genlab: stubs for students, and a grader that never shares a process with a submission."""
