/// See TarReader and TarWriter.
enum TarFormat {}
