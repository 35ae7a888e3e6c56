# A program without any statement completes.
