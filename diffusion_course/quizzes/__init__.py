"""The quiz questions, one file per chapter, with their answers sealed (see sealing.py). `notebook.quiz` asks them."""
