internal import Aerie
internal import ControlAPI
internal import HostSystem

/// Reads the record of a machine or of a snapshot.
enum RecordFile {
    /// - Parameters:
    ///   - versions: the forms of the file that this program reads.
    ///   - asked: the machine or the snapshot, for an error.
    /// - Throws: `badInput` for a record that cannot be read.
    static func read<Record: Decodable>(
        _ type: Record.Type, versions: ClosedRange<Int>, from name: String, in directory: String, asked: String
    ) throws(AerieError) -> Record {
        func damaged(_ found: String) -> AerieError {
            AerieError(
                .badInput, asked: asked, found: found, advice: "remove the directory \(directory) if nobody needs it")
        }
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try Machine.readFile("\(directory)/\(name)")
        } catch {
            throw damaged("its record cannot be read: \(error.description)")
        }
        do {
            let value = try JSONValue(parsing: bytes)
            let found = value["version"]?.integer
            guard let found, versions.contains(found) else {
                throw damaged(
                    "its record has version \(found ?? 0), and this program reads version \(versions.upperBound)")
            }
            return try value.decode(type)
        } catch let error as AerieError {
            throw error
        } catch {
            throw damaged("its record is damaged, or was written by another version")
        }
    }
}
