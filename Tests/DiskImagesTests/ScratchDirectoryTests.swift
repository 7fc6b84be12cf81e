import DiskImages
import Glibc
import GuestToolchain
import HostSystem
import Testing

@Suite struct ScratchDirectoryTests {
    private let directory = TemporaryDirectory()

    @Test func theFirstDirectoryThatTakesAFileGetsIt() throws {
        let file = try ScratchDirectory(candidates: [directory.path + "/missing", directory.path]).makeFile()
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/fd/\(file.rawValue)", &buffer, 4095)
        let target = String(decoding: buffer[..<max(count, 0)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let real = try #require(realpath(directory.path, nil))
        defer { free(real) }
        #expect(target.hasPrefix(String(cString: real)))
        #expect(try directory.names() == [])
    }

    @Test(.enabled(if: access("/dev/shm", W_OK) == 0, "there is no /dev/shm"))
    func aFileSystemInMemoryIsTheLastChoice() throws {
        let other = try ScratchDirectory(candidates: ["/dev/shm", directory.path]).makeFile()
        #expect(try !other.isInMemory() || FileDescriptor(unnamedIn: directory.path).isInMemory())
        #expect(try ScratchDirectory(candidates: ["/dev/shm", "/missing"]).makeFile().isInMemory())
    }

    @Test func directoriesThatTakeNoFileAreNamedWithTheReason() throws {
        let missing = directory.path + "/missing"
        let reason = SystemError("open O_TMPFILE in \(missing)", code: ENOENT)
        let error = DiskImageError.noScratch(directories: [missing, "/missing"], reason)
        #expect(throws: error) { _ = try ScratchDirectory(candidates: [missing, "/missing"]).makeFile() }
        #expect(
            error.description
                == "the changes of a copy-on-write disk need a file in \(missing) or /missing: open O_TMPFILE in "
                + "\(missing): No such file or directory; set TMPDIR to a directory that can be written")
    }
}
