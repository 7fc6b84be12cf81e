internal import DiskImages
internal import HostSystem
internal import Machine
internal import PlatformDevices

/// The file of a flash bank: locked as a disk's, and written to by the machine's event loop.
final class FlashImageStore: FlashStore, @unchecked Sendable {
    // @unchecked: `group` is used on the loop's thread only.

    private let file: FlashFile
    private let image: RawDiskImage
    private let io: DiskIO
    private var group: IOGroup

    init(_ file: FlashFile, io: DiskIO) throws(AerieError) {
        do throws(DiskImageError) {
            // Without flushes: the chip has no command for one.
            image = try RawDiskImage(path: file.path, readOnly: file.isReadOnly, synchronizes: false)
        } catch {
            throw AerieError(flash: file, error.description)
        }
        self.file = file
        self.io = io
        group = IOGroup(io)
    }

    var size: UInt64 { image.fileSize }
    var isReadOnly: Bool { file.isReadOnly }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(FlashError) {
        do throws(DiskImageError) {
            try image.read(at: offset, into: IOBuffers(buffer))
        } catch {
            throw .unreadable(error.description)
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64, completion: @escaping @Sendable (String?) -> Void) {
        // A write does not change its buffers. They stay until the completion, as `FlashStore` says.
        let buffers = IOBuffers(UnsafeMutableRawBufferPointer(mutating: bytes))
        // The vCPU that programs the flash begins the write itself if the loop waits.
        io.loop.visitOrAsync { [self] in
            image.submit(.write(at: offset, from: buffers), in: group) { [file] error in
                completion(error.map { "--flash \(file.path): \($0)" })
            }
        }
    }

    func cancel() {
        io.loop.async { [self] in
            group.cancel()
            group = IOGroup(io)
        }
    }

    func close() { image.close() }
}

extension FlashImageStore {
    /// The board's banks: those of the configuration, then erased ones.
    static func makeBanks(
        _ configuration: Configuration, count: Int, io: DiskIO, log: Log
    ) throws(AerieError) -> [any MemoryMappedDevice] {
        var banks: [any MemoryMappedDevice] = []
        for index in 0..<count {
            let name = "flash\(index)"
            guard index < configuration.flash.count else {
                banks.append(FlashBank(name: name))
                continue
            }
            let file = configuration.flash[index]
            let store = try FlashImageStore(file, io: io)
            do throws(FlashError) {
                banks.append(try StoredFlashBank(name: name, store: store, log: log))
            } catch {
                throw AerieError(flash: file, error)
            }
        }
        return banks
    }
}

extension AerieError {
    fileprivate init(flash file: FlashFile, _ error: FlashError) {
        let bank = FlashBank.size
        switch error {
        case .tooLarge(let bytes):
            self.init(
                .badInput, asked: "--flash \(file.path)",
                found: "the file has \(bytes) bytes, and a flash bank \(bank)", advice: "give a smaller file")
        case .tooSmall(let bytes):
            self.init(
                .badInput, asked: "--flash \(file.path)",
                found: "the file has \(bytes) bytes, and a flash bank \(bank)",
                advice: "extend the file with 'truncate --size=32M', or add ',readonly'")
        case .unreadable(let reason): self.init(flash: file, reason)
        }
    }

    /// - Parameter line: of a disk image's error, which names the file.
    fileprivate init(flash file: FlashFile, _ line: String) {
        let rest = line.divided(at: "\(file.path): ")?.1 ?? line
        let (found, advice) = rest.divided(at: "; ") ?? (rest, "")
        self.init(.badInput, asked: "--flash \(file.path)", found: found, advice: advice)
    }
}
