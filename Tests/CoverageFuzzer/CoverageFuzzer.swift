internal import FuzzTargets
internal import Glibc
internal import HostSystem

// One program for both ways of use: with COVERAGE_FUZZER defined and the fuzzer's sanitizer linked, libFuzzer has `main` and calls
// the entry; without, the program runs the inputs in files, to try a finding again.

/// The target that AERIE_FUZZ_TARGET names.
private func namedTarget() -> FuzzTarget {
    if let name = getenv("AERIE_FUZZ_TARGET"), let target = FuzzTarget(rawValue: String(cString: name)) {
        return target
    }
    let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: ", ")
    StandardError.write("set AERIE_FUZZ_TARGET to one of: \(names)\n")
    exit(64)
}

#if COVERAGE_FUZZER
    private let target = namedTarget()

    /// The entry that libFuzzer calls for each input; 0 keeps the input if it reaches something new.
    @c(LLVMFuzzerTestOneInput)
    public func fuzzOneInput(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
        target.run(UnsafeBufferPointer(start: data, count: count))
        return 0
    }
#else
    @main
    enum CoverageFuzzer {
        static func main() {
            let target = namedTarget()
            for path in CommandLine.arguments.dropFirst() {
                guard let file = fopen(path, "rb") else {
                    StandardError.write("\(path): \(String(cString: strerror(errno)))\n")
                    exit(65)
                }
                var bytes = [UInt8](repeating: 0, count: FuzzTarget.inputLimit)
                bytes.removeLast(bytes.count - fread(&bytes, 1, bytes.count, file))
                fclose(file)
                target.run(bytes)
                print("\(path): no finding")
            }
        }
    }
#endif
