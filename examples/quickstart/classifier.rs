//! A species classifier: multinomial logistic regression on two measurements.

use std::collections::HashMap;

use mainstay::{Error, Result};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use smartcore::linalg::basic::arrays::Array as _;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linear::logistic_regression::{LogisticRegression, LogisticRegressionParameters};

use crate::penguins::{Penguin, SPECIES};

/// The measurements the model reads, in order.
pub(crate) const FEATURES: [&str; 2] = ["bill_length_mm", "body_mass_g"];

const CLASSES: usize = SPECIES.len();
const WIDTH: usize = FEATURES.len();

/// Weights on standardized measurements, one row a species.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Classifier {
    mean: [f64; WIDTH],
    scale: [f64; WIDTH],
    coefficients: [[f64; WIDTH]; CLASSES],
    intercept: [f64; CLASSES],
}

/// What the model says of one penguin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prediction {
    /// The most likely species.
    pub(crate) species: &'static str,
    /// Its probability.
    pub(crate) probability: f64,
}

impl Classifier {
    /// Fits the model; the L2 penalty is 1.
    pub(crate) fn train(rows: &[Penguin]) -> Result<Self> {
        let features: Vec<[f64; WIDTH]> = rows.iter().map(features).collect();
        let (mean, scale) = moments(&features);
        let standardized: Vec<Vec<f64>> = features
            .iter()
            .map(|row| standardize(row, &mean, &scale).to_vec())
            .collect();
        let labels: Vec<u32> = rows.iter().map(|row| row.label as u32).collect();

        let failed = |error| Error::invalid("the classifier cannot be fitted").with_source(error);
        let matrix = DenseMatrix::from_2d_vec(&standardized).map_err(failed)?;
        let parameters = LogisticRegressionParameters::default().with_alpha(1.0);
        let fitted = LogisticRegression::fit(&matrix, &labels, parameters).map_err(failed)?;
        if fitted.classes().len() != CLASSES {
            return Err(Error::invalid(
                "the training rows do not hold every species",
            ));
        }

        let mut model = Self {
            mean,
            scale,
            coefficients: [[0.0; WIDTH]; CLASSES],
            intercept: [0.0; CLASSES],
        };
        for class in 0..CLASSES {
            model.intercept[class] = *fitted.intercept().get((class, 0));
            for feature in 0..WIDTH {
                model.coefficients[class][feature] = *fitted.coefficients().get((class, feature));
            }
        }
        Ok(model)
    }

    /// Predicts the species by the soft-max of the class scores.
    pub(crate) fn predict(&self, row: &Penguin) -> Prediction {
        let x = standardize(&features(row), &self.mean, &self.scale);
        let scores: Vec<f64> = (0..CLASSES)
            .map(|class| {
                self.intercept[class]
                    + x.iter()
                        .zip(self.coefficients[class])
                        .map(|(x, w)| x * w)
                        .sum::<f64>()
            })
            .collect();
        let (best, top) = scores
            .iter()
            .enumerate()
            .fold((0, f64::MIN), |best, (class, &score)| {
                if score > best.1 { (class, score) } else { best }
            });
        let normalizer: f64 = scores.iter().map(|score| (score - top).exp()).sum();
        Prediction {
            species: SPECIES[best],
            probability: 1.0 / normalizer,
        }
    }

    /// Measures the share of rows whose species is predicted right.
    pub(crate) fn accuracy(&self, rows: &[Penguin]) -> f64 {
        let right = rows
            .iter()
            .filter(|row| self.predict(row).species == row.species())
            .count();
        right as f64 / rows.len() as f64
    }

    /// Encodes the model as a safetensors file.
    pub(crate) fn to_safetensors(&self) -> Result<Vec<u8>> {
        let tensors = [
            (
                "coefficients",
                vec![CLASSES, WIDTH],
                bytes(self.coefficients.as_flattened()),
            ),
            ("intercept", vec![CLASSES], bytes(&self.intercept)),
            ("mean", vec![WIDTH], bytes(&self.mean)),
            ("scale", vec![WIDTH], bytes(&self.scale)),
        ];
        let failed = |error| Error::invalid("the model cannot be encoded").with_source(error);
        let views = tensors
            .iter()
            .map(|(name, shape, data)| {
                Ok((
                    *name,
                    TensorView::new(Dtype::F64, shape.clone(), data).map_err(failed)?,
                ))
            })
            .collect::<Result<Vec<_>>>()?;
        let about = HashMap::from([("features".to_owned(), FEATURES.join(","))]);
        safetensors::serialize(views, Some(about)).map_err(failed)
    }

    /// Decodes a model that [`to_safetensors`](Self::to_safetensors) encoded.
    pub(crate) fn from_safetensors(file: &[u8]) -> Result<Self> {
        let failed = |error| Error::invalid("not a model of this program").with_source(error);
        let file = SafeTensors::deserialize(file).map_err(failed)?;
        let tensor = |name| {
            file.tensor(name)
                .map(|tensor| numbers(tensor.data()))
                .map_err(failed)
        };
        let mut coefficients = [[0.0; WIDTH]; CLASSES];
        coefficients
            .as_flattened_mut()
            .copy_from_slice(&exactly(tensor("coefficients")?)?);
        Ok(Self {
            mean: array(tensor("mean")?)?,
            scale: array(tensor("scale")?)?,
            coefficients,
            intercept: array(tensor("intercept")?)?,
        })
    }
}

fn features(row: &Penguin) -> [f64; WIDTH] {
    [row.bill_length_mm, row.body_mass_g]
}

fn standardize(row: &[f64; WIDTH], mean: &[f64; WIDTH], scale: &[f64; WIDTH]) -> [f64; WIDTH] {
    std::array::from_fn(|i| (row[i] - mean[i]) / scale[i])
}

fn moments(rows: &[[f64; WIDTH]]) -> ([f64; WIDTH], [f64; WIDTH]) {
    let n = rows.len() as f64;
    let mean: [f64; WIDTH] =
        std::array::from_fn(|i| rows.iter().map(|row| row[i]).sum::<f64>() / n);
    let scale = std::array::from_fn(|i| {
        (rows
            .iter()
            .map(|row| (row[i] - mean[i]).powi(2))
            .sum::<f64>()
            / n)
            .sqrt()
    });
    (mean, scale)
}

fn bytes(numbers: &[f64]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect()
}

fn numbers(bytes: &[u8]) -> Vec<f64> {
    bytes
        .as_chunks()
        .0
        .iter()
        .map(|chunk| f64::from_le_bytes(*chunk))
        .collect()
}

fn array<const N: usize>(numbers: Vec<f64>) -> Result<[f64; N]> {
    numbers
        .try_into()
        .map_err(|_| Error::invalid("a tensor of the model has the wrong shape"))
}

fn exactly(numbers: Vec<f64>) -> Result<[f64; CLASSES * WIDTH]> {
    array(numbers)
}
