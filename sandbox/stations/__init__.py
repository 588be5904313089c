"""What networks of automatic stations share: TT 10/2021 files, loggers' habits, stories, a growing feed."""
