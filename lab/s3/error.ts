/** An error answer of S3. The AWS CLI shows and obeys its code. */
export class S3Error extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string = code) {
    super(message)
    this.status = status
    this.code = code
  }
}

export const noSuchBucket = () => new S3Error(404, 'NoSuchBucket', 'The specified bucket does not exist')
export const noSuchKey = () => new S3Error(404, 'NoSuchKey', 'The specified key does not exist.')
export const noSuchUpload = () => new S3Error(404, 'NoSuchUpload', 'The specified upload does not exist.')
export const preconditionFailed = () =>
  new S3Error(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold')
export const invalidArgument = (message: string) => new S3Error(400, 'InvalidArgument', message)
export const malformedXml = () => new S3Error(400, 'MalformedXML', 'The XML you provided was not well-formed')
export const notImplemented = () =>
  new S3Error(
    501,
    'NotImplemented',
    'A header or query you provided implies functionality that is not implemented',
  )
